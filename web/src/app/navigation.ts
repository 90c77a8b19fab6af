import {
  IconBinaryTree2, IconBuilding, IconHistory, IconHome, IconKey, IconPlayerPlay, IconPlugConnected, IconServerCog, IconSql, IconTable,
  IconTableOptions, IconTransfer, IconUsers,
} from "@tabler/icons-react";

import type { Me, Permission } from "@/api/types";

interface Place {
  to: string;
  label: string;
  icon: typeof IconHome;
  permission?: Permission;
}

export const SCHEMA_CHANGES = "/schema-changes";

/** The places of the interface, in the order in which data flows through them. */
const PLACES: Place[] = [
  { to: "/", label: "Home", icon: IconHome },
  { to: "/connections", label: "Connections", icon: IconPlugConnected },
  { to: "/pipelines", label: "Pipelines", icon: IconTransfer },
  { to: "/transformations", label: "Transformations", icon: IconSql },
  { to: "/workflows", label: "Workflows", icon: IconBinaryTree2 },
  { to: "/runs", label: "Runs", icon: IconPlayerPlay },
  { to: SCHEMA_CHANGES, label: "Schema changes", icon: IconTableOptions },
  { to: "/tables", label: "Tables", icon: IconTable },
];

const SETTINGS: Place[] = [
  { to: "/settings/organization", label: "Organization", icon: IconBuilding, permission: "organization:read" },
  { to: "/settings/members", label: "Members", icon: IconUsers, permission: "members:read" },
  { to: "/settings/api-keys", label: "API keys", icon: IconKey, permission: "api_keys:read" },
  { to: "/settings/audit", label: "Audit", icon: IconHistory, permission: "audit:read" },
];

const PLATFORM: Place = { to: "/platform", label: "Platform", icon: IconServerCog };

/** Where somebody may go, in groups; only the first group has no title. */
export function places(me: Me | undefined): { title?: string; places: Place[] }[] {
  const settings = SETTINGS.filter(({ permission }) => permission && me?.permissions.includes(permission));
  return [
    { places: PLACES },
    ...(settings.length ? [{ title: "Settings", places: settings }] : []),
    ...(me?.user.platform_role ? [{ title: "Installation", places: [PLATFORM] }] : []),
  ];
}
