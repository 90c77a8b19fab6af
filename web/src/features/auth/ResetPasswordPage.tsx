import { Anchor, Button, Stack, Text } from "@mantine/core";
import { useForm } from "@mantine/form";
import { Link } from "react-router";

import { $api } from "@/api/client";
import { fieldErrors } from "@/api/errors";
import { session } from "@/api/session";
import { ErrorAlert } from "@/components/ErrorAlert";
import { NewPasswordInput } from "@/components/NewPasswordInput";
import { AuthCard } from "./AuthCard";
import { useLinkToken } from "./useLinkToken";

export function ResetPasswordPage() {
  const { token, forget } = useLinkToken();
  const form = useForm({ initialValues: { password: "" } });
  const reset = $api.useMutation("post", "/api/v1/auth/password/reset", {
    onSuccess: () => {
      forget();
      void session.refresh(); // a new password ends every session of its account
    },
    onError: (error) => form.setErrors(fieldErrors(error)),
  });
  if (reset.isSuccess) {
    return (
      <AuthCard title="The new password is set" text="Every session of yours was ended; sign in with the new password.">
        <Button component={Link} to="/sign-in">Sign in</Button>
      </AuthCard>
    );
  }
  if (!token) return <IncompleteLink />;
  return (
    <AuthCard title="Choose a new password">
      <form onSubmit={form.onSubmit(({ password }) => reset.mutate({ body: { token, password } }))}>
        <Stack>
          <ErrorAlert error={reset.error} />
          <NewPasswordInput label="New password" {...form.getInputProps("password")} />
          <Button type="submit" loading={reset.isPending}>Set the password</Button>
          <Text size="sm"><Anchor underline="always" component={Link} to="/forgot-password">Ask for another link</Anchor></Text>
        </Stack>
      </form>
    </AuthCard>
  );
}

/** For an address without its token. */
export function IncompleteLink() {
  return (
    <AuthCard title="The link is incomplete" text="Open it again from the message that brought it, or copy the whole of it, to its last character.">
      <Button component={Link} to="/" variant="default">Go to ETL Fabric</Button>
    </AuthCard>
  );
}
