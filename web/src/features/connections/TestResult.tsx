import { Alert, Text } from "@mantine/core";
import { IconCheck, IconPlugConnectedX } from "@tabler/icons-react";

import type { ConnectionTest } from "@/api/types";
import { ErrorAlert } from "@/components/ErrorAlert";

/** What the user of a connection would still have to be granted. */
export function MissingRights({ missing }: { missing: ConnectionTest["missing"] }) {
  return missing.map(({ direction, message, hint }) => (
    <Text key={message} size="sm" className="break">To be a {direction}: {message}. What to do: {hint}</Text>
  ));
}

/** What the test found, and the remedy where it failed. */
export function TestResult({ result, error }: { result: ConnectionTest | undefined; error: unknown }) {
  return (
    <div aria-live="polite">
      {error ? <ErrorAlert error={error} title="The test could not be made" /> : null}
      {result && !error && (
        <Alert color={result.ok ? "teal" : "red"} variant="light" title={result.ok ? "It works" : "It does not work yet"}
          icon={result.ok ? <IconCheck aria-hidden /> : <IconPlugConnectedX aria-hidden />}
          styles={{ title: { color: "var(--mantine-color-text)" }, message: { color: "var(--mantine-color-text)" } }}>
          <Text size="sm" className="break">
            {result.message}{result.server_version ? `, ${result.server_version}` : ""}{result.ok ? ` (${result.latency_ms} ms)` : ""}
          </Text>
          {result.hint && <Text size="sm">What to do: {result.hint}</Text>}
          <MissingRights missing={result.missing} />
        </Alert>
      )}
    </div>
  );
}
