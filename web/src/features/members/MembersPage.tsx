import { useQuery } from "@tanstack/react-query";

import { members } from "@/api/queries";
import { Loaded } from "@/components/Loaded";
import { Page, Panel } from "@/components/Page";
import { Permitted } from "@/components/Permitted";
import { Invitations } from "./Invitations";
import { MemberTable } from "./MemberTable";
import { RoleTable } from "./RoleTable";

export function MembersPage() {
  const query = useQuery(members());
  return (
    <Page title="Members" description="Who belongs to the organization, and what each of them may do.">
      <Panel p={0}><Loaded query={query}>{({ items }) => <MemberTable members={items} />}</Loaded></Panel>
      <Permitted to="members:write"><Invitations /></Permitted>
      <Panel title="What the roles may do" p={0}><RoleTable /></Panel>
    </Page>
  );
}
