import { Alert, Button, Group, List, Stack, Text } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";

import { asApiError, type Problem } from "@/api/errors";

function place(problem: Problem): string {
  const parts = [
    problem.node && `node ${problem.node}`,
    problem.edge && `edge ${problem.edge.join(" → ")}`,
    problem.field,
    problem.line && `line ${problem.line}`,
  ];
  return parts.filter(Boolean).join(", ");
}

/** All problems of an answer, each with the place it belongs to. */
export function Problems({ problems }: { problems: Problem[] }) {
  if (!problems.length) return null;
  return (
    <List size="sm" spacing={4}>
      {problems.map((problem, index) => (
        <List.Item key={index}>
          {place(problem) && <Text span fw={600} size="sm">{place(problem)}: </Text>}
          <Text span size="sm" className="break" style={{ whiteSpace: "pre-wrap" }}>{problem.message}</Text>
        </List.Item>
      ))}
    </List>
  );
}

/** What happened, where, and what to do now. */
export function ErrorAlert({ error, retry, title }: { error: unknown; retry?: () => void; title?: string }) {
  if (!error) return null;
  const found = asApiError(error);
  const said = found.problems.some(({ message }) => found.message.endsWith(message));
  return (
    <Alert color="red" variant="light" role="alert" icon={<IconAlertTriangle aria-hidden />} title={title ?? found.message}
      styles={{ title: { color: "var(--mantine-color-error)" }, message: { color: "var(--mantine-color-text)" } }}>
      <Stack gap="xs">
        {title && !said && <Text size="sm" className="break" style={{ whiteSpace: "pre-wrap" }}>{found.message}</Text>}
        <Problems problems={found.problems} />
        {found.hint && <Text size="sm" className="break">What to do: {found.hint}</Text>}
        {retry && <Group><Button size="xs" variant="default" onClick={retry}>Try again</Button></Group>}
      </Stack>
    </Alert>
  );
}
