import { Anchor, Button, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { $api } from "@/api/client";
import { providers } from "@/api/queries";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Loaded } from "@/components/Loaded";
import { AuthCard } from "./AuthCard";

export function ForgotPasswordPage() {
  const query = useQuery(providers());
  return (
    <AuthCard title="Forgot the password">
      <Loaded query={query} lines={3}>{({ mail }) => (mail ? <Ask /> : <NoMail />)}</Loaded>
      <Text size="sm"><Anchor underline="always" component={Link} to="/sign-in">Back to signing in</Anchor></Text>
    </AuthCard>
  );
}

function NoMail() {
  return (
    <Text size="sm">
      This installation sends no e-mail. Ask the people who operate it: they can make a link for you with which you choose a new password.
    </Text>
  );
}

function Ask() {
  const form = useForm({ initialValues: { email: "" } });
  const ask = $api.useMutation("post", "/api/v1/auth/password/forgot");
  if (ask.isSuccess) {
    return <Text size="sm" role="status">If there is an account with this address, a link is on its way to it. It is good for a short time and works once.</Text>;
  }
  return (
    <form onSubmit={form.onSubmit((body) => ask.mutate({ body }))}>
      <Stack>
        <Text size="sm" c="dimmed">We send a link to your e-mail address; with it you choose a new password.</Text>
        <ErrorAlert error={ask.error} />
        <TextInput label="E-mail" type="email" autoComplete="username" required {...form.getInputProps("email")} />
        <Button type="submit" loading={ask.isPending}>Send the link</Button>
      </Stack>
    </form>
  );
}
