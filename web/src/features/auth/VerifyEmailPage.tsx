import { Button } from "@mantine/core";
import { Link } from "react-router";

import { $api } from "@/api/client";
import { changed } from "@/api/queries";
import { ErrorAlert } from "@/components/ErrorAlert";
import { AuthCard } from "./AuthCard";
import { IncompleteLink } from "./ResetPasswordPage";
import { useLinkToken } from "./useLinkToken";

/** A button, because programs that look through e-mail open every link. */
export function VerifyEmailPage() {
  const { token, forget } = useLinkToken();
  const verify = $api.useMutation("post", "/api/v1/auth/email/verify", {
    onSuccess: async () => {
      forget();
      await changed.me();
    },
  });
  if (verify.isSuccess) {
    return (
      <AuthCard title="Your e-mail address is verified">
        <Button component={Link} to="/">Go to ETL Fabric</Button>
      </AuthCard>
    );
  }
  if (!token) return <IncompleteLink />;
  return (
    <AuthCard title="Verify your e-mail address" text="One click shows that the address is yours.">
      <ErrorAlert error={verify.error} />
      <Button loading={verify.isPending} onClick={() => verify.mutate({ body: { token } })}>Verify</Button>
    </AuthCard>
  );
}
