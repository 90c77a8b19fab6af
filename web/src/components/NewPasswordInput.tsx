import { PasswordInput, type PasswordInputProps } from "@mantine/core";

/** A password that somebody chooses. */
export function NewPasswordInput({ label = "Password", ...props }: PasswordInputProps) {
  return <PasswordInput label={label} autoComplete="new-password" required description="At least 8 characters; a sentence is good." {...props} />;
}
