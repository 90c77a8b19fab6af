import { Alert } from "@mantine/core";
import { IconEye, IconLock } from "@tabler/icons-react";
import type { ReactNode } from "react";

import type { Permission } from "@/api/types";
import { useMay, useMe } from "@/api/useMe";
import { EmptyState } from "./EmptyState";
import { Page, Panel } from "./Page";

/** Shows its content only to those who may; nothing, or `otherwise`, to others. */
export function Permitted({ to, children, otherwise = null }: { to: Permission; children: ReactNode; otherwise?: ReactNode }) {
  return useMay()(to) ? children : otherwise;
}

/** In place of a page that the role may not see. */
export function NotPermitted() {
  const { role } = useMe();
  return (
    <Page title="Not for your role">
      <Panel>
        <EmptyState icon={<IconLock aria-hidden />} title={`As ${role} you cannot use this page`}
          text="Ask an owner of the organization for another role; Members shows who that is." />
      </Panel>
    </Page>
  );
}

/** A form that those without the permission can read but not change, with the reason. */
export function EditableBy({ permission, children }: { permission: Permission; children: ReactNode }) {
  const may = useMay()(permission);
  return (
    <>
      {!may && <ReadOnlyNotice />}
      <fieldset disabled={!may} className="plain-fieldset">{children}</fieldset>
    </>
  );
}

export function ReadOnlyNotice() {
  const { role } = useMe();
  return (
    <Alert color="gray" variant="light" icon={<IconEye aria-hidden />} mb="md" styles={{ message: { color: "var(--mantine-color-text)" } }}>
      You can look at this but not change it: your role here is {role}.
    </Alert>
  );
}
