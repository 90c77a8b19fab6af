import { Page } from "@/components/Page";
import { SignOnProblem } from "@/components/SignOnProblem";
import { Account } from "./Account";
import { Organizations } from "./Organizations";
import { Password } from "./Password";
import { Sessions } from "./Sessions";
import { SignIns } from "./SignIns";

export function ProfilePage() {
  return (
    <Page title="Profile" description="Your account, in whichever organization you are.">
      <SignOnProblem />
      <Account />
      <Password />
      <SignIns />
      <Sessions />
      <Organizations />
    </Page>
  );
}
