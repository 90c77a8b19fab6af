import { Radio, Stack } from "@mantine/core";

import type { SchemaPolicy as Policy } from "@/api/types";
import { POLICIES } from "./ways";

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
