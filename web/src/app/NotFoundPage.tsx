import { Button } from "@mantine/core";
import { IconMapQuestion } from "@tabler/icons-react";
import { Link } from "react-router";

import { EmptyState } from "@/components/EmptyState";
import { Page, Panel } from "@/components/Page";

export function NotFoundPage() {
  return (
    <Page title="No such page">
      <Panel>
        <EmptyState icon={<IconMapQuestion aria-hidden />} title="There is nothing at this address"
          text="The link may be old, or it belongs to another organization."
          action={<Button component={Link} to="/">Go to the home page</Button>} />
      </Panel>
    </Page>
  );
}
