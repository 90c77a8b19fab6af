import { Button, Group, Text } from "@mantine/core";

import { $api } from "@/api/client";
import type { Connection } from "@/api/types";
import { ErrorAlert } from "@/components/ErrorAlert";

/** Sends a person to the provider, who lets this connection read what is theirs. */
export function Consent({ connection, provider }: { connection: Connection; provider: string }) {
  const begin = $api.useMutation("post", "/api/v1/connections/{id}/consent", {
    onSuccess: ({ url }) => window.location.assign(url),
  });
  return (
    <>
      <Group mb="md">
        <Button variant="default" loading={begin.isPending || begin.isSuccess} onClick={() => begin.mutate({ params: { path: { id: connection.id } } })}>
          Sign in with {provider}
        </Button>
        <Text size="sm" c="dimmed">
          Save the form first. The client at {provider} has to allow the address <code>{window.location.origin}/connections/consent</code>.
        </Text>
      </Group>
      <ErrorAlert error={begin.error} />
    </>
  );
}
