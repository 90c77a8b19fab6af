import { Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { roles } from "@/api/queries";
import { Loaded } from "@/components/Loaded";
import { actionsByNoun } from "@/components/permissions";
import { MEANINGS } from "./roles";

/** Each role's reach, as the service knows it. */
export function RoleTable() {
  const query = useQuery(roles());
  return (
    <Loaded query={query}>
      {(list) => {
        const reach = list.map(({ name, permissions }) => ({ name, actions: actionsByNoun(permissions) }));
        const nouns = [...new Set(list.flatMap(({ permissions }) => [...actionsByNoun(permissions).keys()]))].sort();
        return (
          <Table.ScrollContainer minWidth={680} type="native" role="region" aria-label="What the roles may do">
            <Table aria-label="Roles" verticalSpacing={6}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>What</Table.Th>
                  {reach.map(({ name }) => <Table.Th key={name}>{name}<Text size="xs" c="dimmed">{MEANINGS[name]}</Text></Table.Th>)}
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {nouns.map((noun) => (
                  <Table.Tr key={noun}>
                    <Table.Th scope="row" fw={500}>{noun.replaceAll("_", " ")}</Table.Th>
                    {reach.map(({ name, actions }) => (
                      <Table.Td key={name}>{actions.get(noun)?.join(", ") ?? <Text span c="dimmed" size="sm">–</Text>}</Table.Td>
                    ))}
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        );
      }}
    </Loaded>
  );
}
