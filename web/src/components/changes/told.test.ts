import { expect, test } from "vitest";

import { told } from "./told";

const none = { column: null, old: null, new: null, table_type: null };

test("each kind of change says what it is, and what a load does with it", () => {
  expect(told({ ...none, kind: "table_added" })).toMatchObject({ sign: "+", what: "the table is new" });
  expect(told({ ...none, kind: "column_added", column: "a", new: "text" })).toMatchObject({ sign: "+", what: "new: text" });
  expect(told({ ...none, kind: "column_removed", column: "a", old: "date" })).toMatchObject({ sign: "−", what: "gone: was date", effect: "the column stays, empty in new rows" });
  const type = told({ kind: "type_changed", column: "a", old: "number", new: "text", table_type: "integer" });
  expect(type.what).toBe("number → text");
  expect(type.effect).toContain("stays integer");
});
