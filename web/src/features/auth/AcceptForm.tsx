import { Button, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useEffect } from "react";

import { fieldErrors } from "@/api/errors";
import type { InvitationLook } from "@/api/types";
import { ErrorAlert } from "@/components/ErrorAlert";
import { NewPasswordInput } from "@/components/NewPasswordInput";
import { SsoButtons } from "./SsoButtons";

interface Answers {
  name?: string;
  password: string;
}

/** For somebody who is not signed in: a new account's name and password, or an old one's password. */
export function AcceptForm({ invitation, pending, error, onAccept }: {
  invitation: InvitationLook;
  pending: boolean;
  error: unknown;
  onAccept: (answers: Answers) => void;
}) {
  const isNew = !invitation.has_account;
  const form = useForm({ initialValues: { name: "", password: "" } });
  const { setErrors } = form;
  useEffect(() => {
    if (error) setErrors(fieldErrors(error));
  }, [error, setErrors]);
  return (
    <>
      <SsoButtons next="/invitation" />
      <form onSubmit={form.onSubmit(({ name, password }) => onAccept(isNew ? { name, password } : { password }))}>
        <Stack>
          <ErrorAlert error={error} />
          {!isNew && <Text size="sm">There is an account with this address: its password lets you in.</Text>}
          <TextInput label="E-mail" value={invitation.email} readOnly autoComplete="username" />
          {isNew && <TextInput label="Your name" autoComplete="name" required {...form.getInputProps("name")} />}
          {isNew ? (
            <NewPasswordInput {...form.getInputProps("password")} />
          ) : (
            <PasswordInput label="Password" autoComplete="current-password" required {...form.getInputProps("password")} />
          )}
          <Button type="submit" loading={pending}>{isNew ? "Create the account and join" : "Join"}</Button>
        </Stack>
      </form>
    </>
  );
}
