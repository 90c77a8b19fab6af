import { Button, CloseButton, Group, Select, Stack, TagsInput, Text, Textarea, TextInput, Title } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";

import type { ColumnTest, SingularTest, TransformationConfig } from "@/api/types";
import { trimmed } from "./draft";

const TYPES = ["not_null", "unique", "accepted_values", "relationships"];
const SEVERITIES = [
  { value: "error", label: "stops the run" },
  { value: "warn", label: "warns only" },
];

interface Props {
  config: TransformationConfig;
  singular: boolean;
  onChange: (config: TransformationConfig) => void;
}

/** Tests of columns, and queries that must return no rows. */
export function TestsEditor({ config, singular, onChange }: Props) {
  const tests = config.tests ?? [];
  const queries = config.singular_tests ?? [];
  const setTests = (next: ColumnTest[]) => onChange({ ...config, tests: next });
  const setQueries = (next: SingularTest[]) => onChange({ ...config, singular_tests: next });
  return (
    <Stack p="md">
      <Title order={2} size="h4">Columns</Title>
      {!tests.length && <Text size="sm" c="dimmed">No column is tested. A key that is unique and never null is a good start.</Text>}
      {tests.map((test, index) => (
        <ColumnTestRow key={index} number={index + 1} test={test} onRemove={() => setTests(tests.filter((_, at) => at !== index))}
          onChange={(changed) => setTests(tests.map((old, at) => (at === index ? trimmed(changed) : old)))} />
      ))}
      <Add label="Add a column test" onClick={() => setTests([...tests, { type: "not_null", column: "", severity: "error" }])} />
      {singular && (
        <>
          <Title order={2} size="h4">Queries that must return no rows</Title>
          {queries.map((test, index) => (
            <QueryRow key={index} number={index + 1} test={test} onRemove={() => setQueries(queries.filter((_, at) => at !== index))}
              onChange={(changed) => setQueries(queries.map((old, at) => (at === index ? changed : old)))} />
          ))}
          <Add label="Add a query" onClick={() => setQueries([...queries, { name: "", sql: "", severity: "error" }])} />
        </>
      )}
    </Stack>
  );
}

function Add({ label, onClick }: { label: string; onClick: () => void }) {
  return <Button size="xs" variant="default" w="fit-content" leftSection={<IconPlus size={14} aria-hidden />} onClick={onClick}>{label}</Button>;
}

function ColumnTestRow({ number, test, onChange, onRemove }: { number: number; test: ColumnTest; onChange: (test: ColumnTest) => void; onRemove: () => void }) {
  return (
    <Group align="flex-end" gap="xs" role="group" aria-label={`Column test ${number}`}>
      <TextInput label="Column" size="xs" value={test.column} onChange={(event) => onChange({ ...test, column: event.currentTarget.value })} />
      <Select label="Must be" size="xs" data={TYPES} value={test.type} allowDeselect={false} onChange={(type) => onChange({ ...test, type: type as ColumnTest["type"] })} />
      {test.type === "accepted_values" && <TagsInput label="One of" size="xs" value={test.values ?? []} onChange={(values) => onChange({ ...test, values })} miw={200} />}
      {test.type === "relationships" && (
        <>
          <TextInput label="Found in" size="xs" placeholder="ref('customers')" value={test.to ?? ""} onChange={(event) => onChange({ ...test, to: event.currentTarget.value })} />
          <TextInput label="As column" size="xs" value={test.field ?? ""} onChange={(event) => onChange({ ...test, field: event.currentTarget.value })} />
        </>
      )}
      <Select label="A failure" size="xs" w={150} data={SEVERITIES} value={test.severity} allowDeselect={false} onChange={(severity) => onChange({ ...test, severity: severity as "error" | "warn" })} />
      <CloseButton aria-label={`Remove column test ${number}`} onClick={onRemove} />
    </Group>
  );
}

function QueryRow({ number, test, onChange, onRemove }: { number: number; test: SingularTest; onChange: (test: SingularTest) => void; onRemove: () => void }) {
  return (
    <Stack gap="xs" role="group" aria-label={`Query ${number}`}>
      <Group align="flex-end" gap="xs">
        <TextInput label="Name" size="xs" value={test.name} onChange={(event) => onChange({ ...test, name: event.currentTarget.value })} />
        <Select label="A failure" size="xs" w={150} data={SEVERITIES} value={test.severity} allowDeselect={false} onChange={(severity) => onChange({ ...test, severity: severity as "error" | "warn" })} />
        <CloseButton aria-label={`Remove query ${number}`} onClick={onRemove} />
      </Group>
      <Textarea label="SQL" size="xs" autosize minRows={3} classNames={{ input: "mono" }} value={test.sql} onChange={(event) => onChange({ ...test, sql: event.currentTarget.value })} />
    </Stack>
  );
}
