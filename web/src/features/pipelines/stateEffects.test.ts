import { expect, test } from "vitest";

import type { ResourceState } from "@/api/types";
import { effectOfReset, effectOfRestore, effectOfSet } from "./stateEffects";

const flights: ResourceState = {
  name: "flights", table: "flights", write_disposition: "append", cursor: "at", follows: true,
  position: { resource: "flights", column: "at", type: "integer", text: "7" },
};
const planes: ResourceState = { ...flights, name: "planes", table: "planes", write_disposition: "merge" };

test("a reset says what becomes of rows that are there already", () => {
  expect(effectOfReset(flights)).toMatch(/from the beginning.*will be there twice/);
  expect(effectOfReset(planes)).toMatch(/updated, not doubled/);
});

test("a set tells the place it goes to and the one of now", () => {
  expect(effectOfSet(flights, "3")).toMatch(/at is 3 or higher; now it is 7/);
});

test("going back tells tables of different kinds apart", () => {
  expect(effectOfRestore([flights, planes])).toMatch(/flights, planes.*append: .*twice.*merge: .*not doubled/);
  expect(effectOfRestore([planes])).not.toMatch(/merge:/);
});
