import { Select } from "@mantine/core";

import type { ChangeState } from "@/api/types";
import { ChangeTable } from "@/components/changes/ChangeTable";
import { Page, Panel } from "@/components/Page";
import { useParam } from "@/components/useParam";

const STATES: { value: ChangeState | "all"; label: string }[] = [
  { value: "pending", label: "waiting for approval" },
  { value: "approved", label: "approved" },
  { value: "rejected", label: "rejected" },
  { value: "applied", label: "applied" },
  { value: "superseded", label: "superseded" },
  { value: "all", label: "all of them" },
];

/** The inbox: what loads found changed, and what waits for somebody. */
export function SchemaChangesPage() {
  const [state, setState] = useParam("state", "pending");
  const known = STATES.find(({ value }) => value === state)?.value ?? "pending";
  return (
    <Page title="Schema changes" description="What loads found changed at their sources, before they wrote anything. A pipeline's settings say whether such changes are applied, held or refused.">
      <Panel p={0}>
        <Select aria-label="State" allowDeselect={false} data={STATES} value={known} onChange={setState} m="md" maw={240} />
        <ChangeTable state={known === "all" ? undefined : known} />
      </Panel>
    </Page>
  );
}
