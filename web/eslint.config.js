import hooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

const features = [
  "api-keys",
  "audit",
  "auth",
  "connections",
  "home",
  "members",
  "organization",
  "pipelines",
  "platform",
  "profile",
  "runs",
  "schema-changes",
  "tables",
  "transformations",
  "workflows",
];

/** Imports point down: app → features → components → api; no feature knows another. */
const wall = (files, group, message) => ({
  files,
  rules: { "no-restricted-imports": ["error", { patterns: [{ group, message }] }] },
});

export default tseslint.config(
  { ignores: ["dist", "src/api/schema.d.ts"] },
  ...tseslint.configs.recommended,
  hooks.configs.flat.recommended,
  {
    files: ["src/**/*.{ts,tsx}"],
    rules: {
      "max-lines": ["error", { max: 250, skipBlankLines: false }],
      "@typescript-eslint/no-explicit-any": "error",
    },
  },
  wall(["src/api/**"], ["@/components/*", "@/features/*", "@/app/*"], "api is the lowest layer."),
  wall(["src/components/**"], ["@/features/*", "@/app/*"], "components know no feature."),
  ...features.map((name) =>
    wall(
      [`src/features/${name}/**`],
      ["@/app/*", ...features.filter((other) => other !== name).map((o) => `@/features/${o}/*`)],
      "a feature knows no other feature: share through components or api.",
    ),
  ),
);
