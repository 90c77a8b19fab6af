import { Anchor, Button, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { Link, useSearchParams } from "react-router";

import { $api } from "@/api/client";
import { session } from "@/api/session";
import { ErrorAlert } from "@/components/ErrorAlert";
import { SignOnProblem } from "@/components/SignOnProblem";
import { AuthCard } from "./AuthCard";
import { SsoButtons } from "./SsoButtons";

export function SignInPage() {
  const [params] = useSearchParams();
  const form = useForm({ initialValues: { email: "", password: "" } });
  const signIn = $api.useMutation("post", "/api/v1/auth/login", { onSuccess: (grant) => session.enter(grant) });
  return (
    <AuthCard title="Sign in" text="Your connections, pipelines and runs are waiting.">
      {!signIn.error && <SignOnProblem />}
      <SsoButtons next={params.get("next") ?? "/"} />
      <form onSubmit={form.onSubmit((body) => signIn.mutate({ body }))}>
        <Stack>
          <ErrorAlert error={signIn.error} />
          <TextInput label="E-mail" type="email" autoComplete="username" required {...form.getInputProps("email")} />
          <PasswordInput label="Password" autoComplete="current-password" required {...form.getInputProps("password")} />
          <Button type="submit" loading={signIn.isPending}>Sign in</Button>
          <Text size="sm"><Anchor underline="always" component={Link} to="/forgot-password">Forgot the password?</Anchor></Text>
          <Text size="sm">
            New here? <Anchor underline="always" component={Link} to={`/sign-up?${params}`}>Create an organization</Anchor>
          </Text>
        </Stack>
      </form>
    </AuthCard>
  );
}
