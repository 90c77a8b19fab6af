import { Button, Checkbox, Group, Input, Table } from "@mantine/core";
import type { ReactNode } from "react";

import type { Permission } from "@/api/types";
import { actionsByNoun } from "@/components/permissions";
import { PRESETS, sameScopes } from "./scopes";

/** The caller's own permissions, by noun; a key can have no others. */
export function ScopePicker({ own, chosen, error, onChange }: {
  own: Permission[];
  chosen: Permission[];
  error?: ReactNode;
  onChange: (scopes: Permission[]) => void;
}) {
  const toggle = (scope: Permission, on: boolean) => onChange(on ? [...chosen, scope] : chosen.filter((other) => other !== scope));
  return (
    <Input.Wrapper label="What it may do" labelElement="div" withAsterisk error={error}>
      <Group gap="xs" my="xs">
        {PRESETS.map(({ label, scopes }) => {
          const active = sameScopes(scopes(own), chosen);
          return <Button key={label} size="compact-sm" variant={active ? "light" : "default"} aria-pressed={active} onClick={() => onChange(scopes(own))}>{label}</Button>;
        })}
      </Group>
      <Table.ScrollContainer minWidth={420} maxHeight={300} type="native" className="surface">
        <Table aria-label="Scopes" verticalSpacing={4} stickyHeader>
          <Table.Tbody>
            {[...actionsByNoun(own)].map(([noun, actions]) => (
              <Table.Tr key={noun}>
                <Table.Th scope="row" fw={500}>{noun.replaceAll("_", " ")}</Table.Th>
                <Table.Td>
                  <Group gap="md">
                    {actions.map((action) => {
                      const scope = `${noun}:${action}` as Permission;
                      return (
                        <Checkbox key={scope} size="xs" label={action} aria-label={`${noun.replaceAll("_", " ")}: ${action}`} checked={chosen.includes(scope)}
                          onChange={(event) => toggle(scope, event.currentTarget.checked)} />
                      );
                    })}
                  </Group>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Input.Wrapper>
  );
}
