import { expect, test } from "vitest";

import { problemSentence } from "./signOn";

test("each code of the service has a sentence of its own", () => {
  const codes = [
    "cancelled", "failed", "expired", "unverified", "link_required", "already_linked", "confirm_email", "no_organization",
  ];
  const sentences = codes.map(problemSentence);
  expect(new Set(sentences).size).toBe(codes.length);
  expect(sentences).not.toContain(problemSentence("something else"));
});

test("what stands in the address is never shown", () => {
  for (const text of ["<img src=x>", "toString", "__proto__", "call +1 555 0100"]) {
    expect(problemSentence(text)).toBe("The sign-in did not work. Try again.");
  }
});
