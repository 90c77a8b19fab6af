import { Button } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";

import { download } from "@/api/download";
import { useMe } from "@/api/useMe";
import { ErrorAlert } from "@/components/ErrorAlert";
import { Page, Panel } from "@/components/Page";
import { AuditFilters } from "./AuditFilters";
import { AuditTable } from "./AuditTable";
import { ChainState } from "./ChainState";
import { csvPath, useAuditFilter } from "./useAuditFilter";

export function AuditPage() {
  const filter = useAuditFilter();
  const { organization } = useMe();
  const save = useMutation({ mutationFn: () => download(csvPath(filter.query), `audit-${organization.slug}.csv`) });
  return (
    <Page title="Audit" description={<>Who did what, and when. Entries cannot be changed. <ChainState /></>}
      actions={<Button variant="default" leftSection={<IconDownload size={16} aria-hidden />} loading={save.isPending} onClick={() => save.mutate()}>Export CSV</Button>}>
      <ErrorAlert error={save.error} title="Not exported" />
      <Panel p={0}>
        <AuditFilters filter={filter} />
        <AuditTable key={JSON.stringify(filter.query)} query={filter.query} />
      </Panel>
    </Page>
  );
}
