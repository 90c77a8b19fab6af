import { Radio, Stack } from "@mantine/core";

import type { SchemaPolicy as Policy } from "@/api/types";

const POLICIES: { value: Policy; label: string; description: string }[] = [
  { value: "apply", label: "Apply", description: "The load goes on, and what changed is kept on the page Schema changes." },
  { value: "hold", label: "Hold for approval", description: "The run fails before it writes anything. Approve the changes under Schema changes, then retry it." },
  { value: "refuse", label: "Refuse", description: "The run fails before it writes anything, until the source or the settings change." },
];

interface Props {
  value: Policy;
  readOnly: boolean;
  error?: string;
  onChange: (policy: Policy) => void;
}

/** What happens when the source has other tables, columns or types than at the last load. */
export function SchemaPolicy({ value, readOnly, error, onChange }: Props) {
  return (
    <Radio.Group label="When the source has changed" description="New tables and columns, columns that are gone, other types; what the contract of a resource forbids is never let through." value={value} error={error} onChange={(policy) => onChange(policy as Policy)}>
      <Stack gap="xs" mt="xs">
        {POLICIES.map((policy) => <Radio key={policy.value} {...policy} disabled={readOnly} />)}
      </Stack>
    </Radio.Group>
  );
}
