import { Button, Container, Stack, Title } from "@mantine/core";
import { useRouteError } from "react-router";

import { ErrorAlert } from "@/components/ErrorAlert";

/** The last catch: what went wrong on this page, and a way on. */
export function RouteError() {
  const error = useRouteError();
  return (
    <Container size="sm" py="xl" component="div">
      <Stack>
        <Title order={1}>This page stopped working</Title>
        <ErrorAlert error={error} />
        <Button component="a" href="/" variant="default" w="fit-content">Go to the home page</Button>
      </Stack>
    </Container>
  );
}
