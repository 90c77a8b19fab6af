import { Anchor, Button, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { Link, useSearchParams } from "react-router";

import { $api } from "@/api/client";
import { fieldErrors } from "@/api/errors";
import { session } from "@/api/session";
import { ErrorAlert } from "@/components/ErrorAlert";
import { NewPasswordInput } from "@/components/NewPasswordInput";
import { AuthCard } from "./AuthCard";

export function SignUpPage() {
  const [params] = useSearchParams();
  const form = useForm({ initialValues: { name: "", organization: "", email: "", password: "" } });
  const signUp = $api.useMutation("post", "/api/v1/auth/register", {
    onSuccess: (grant) => session.enter(grant),
    onError: (error) => form.setErrors(fieldErrors(error)),
  });
  return (
    <AuthCard title="Create your organization" text="One organization is one closed room: its data, people and runs are its own.">
      <form onSubmit={form.onSubmit((body) => signUp.mutate({ body }))}>
        <Stack>
          <ErrorAlert error={signUp.error} />
          <TextInput label="Your name" autoComplete="name" required {...form.getInputProps("name")} />
          <TextInput label="Organization" autoComplete="organization" required description="Its short name becomes part of every table's schema."
            {...form.getInputProps("organization")} />
          <TextInput label="E-mail" type="email" autoComplete="username" required {...form.getInputProps("email")} />
          <NewPasswordInput {...form.getInputProps("password")} />
          <Button type="submit" loading={signUp.isPending}>Create organization</Button>
          <Text size="sm">
            Already a member? <Anchor underline="always" component={Link} to={`/sign-in?${params}`}>Sign in</Anchor>
          </Text>
        </Stack>
      </form>
    </AuthCard>
  );
}
