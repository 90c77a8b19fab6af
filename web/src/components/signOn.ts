/** Why a sign-in at a provider came back without a result. */

const SENTENCES: Record<string, string> = {
  cancelled: "The sign-in was stopped at the provider. Nothing has changed.",
  failed: "The provider's answer could not be used. Try again; if it stays, sign in with your password and tell the operator.",
  expired: "That took too long, or the sign-in was begun in another window. Try again.",
  unverified: "The provider does not vouch for your e-mail address. Verify it there, then try again.",
  link_required: "An account with this e-mail address is already here. Sign in with its password, then link the provider on your profile.",
  already_linked: "This sign-in already belongs to another account here.",
  confirm_email: "Verify the e-mail address of your account first; then link the provider.",
  no_organization: "Your account belongs to no organization any more. Ask somebody of yours to invite you again, and open the link of the invitation.",
};

/** A sentence for a code; an unknown code gets a general one, never its own text. */
export function problemSentence(code: string): string {
  return Object.hasOwn(SENTENCES, code) ? SENTENCES[code]! : "The sign-in did not work. Try again.";
}
