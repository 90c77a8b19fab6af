import { Menu, Text, UnstyledButton, VisuallyHidden } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useDisclosure } from "@mantine/hooks";
import { IconBuilding, IconCheck, IconPlus, IconSelector } from "@tabler/icons-react";

import { asApiError } from "@/api/errors";
import { switchTo } from "@/api/organizations";
import type { Me } from "@/api/types";
import { NewOrganization } from "./NewOrganization";

/** The organization whose data is shown, and the way to another one. */
export function OrganizationMenu({ me }: { me: Me }) {
  const [making, { open, close }] = useDisclosure();

  async function enter(slug: string) {
    try {
      await switchTo(slug);
    } catch (error) {
      notifications.show({ color: "red", title: "Not switched", message: asApiError(error).message });
    }
  }

  return (
    <>
      <Menu position="bottom-start" width={280}>
        <Menu.Target>
          <UnstyledButton className="organization-button">
            <Text truncate data-testid="organization">{me.organization.name}</Text>
            <VisuallyHidden>, change the organization</VisuallyHidden>
            <IconSelector size={16} aria-hidden style={{ flexShrink: 0 }} />
          </UnstyledButton>
        </Menu.Target>
        <Menu.Dropdown mah="70vh" style={{ overflowY: "auto" }}>
          <Menu.Label>Your organizations</Menu.Label>
          {me.memberships.map(({ organization, role }) => {
            const current = organization.id === me.organization.id;
            return (
              <Menu.Item key={organization.id} aria-current={current || undefined} onClick={() => !current && void enter(organization.slug)}
                leftSection={current ? <IconCheck size={16} aria-hidden /> : <IconBuilding size={16} aria-hidden />}>
                <Text size="sm" fw={current ? 600 : undefined} className="break">{organization.name}</Text>
                <Text size="xs" c="dimmed">{current ? `${role}, shown now` : role}</Text>
              </Menu.Item>
            );
          })}
          <Menu.Divider />
          <Menu.Item leftSection={<IconPlus size={16} aria-hidden />} onClick={open}>New organization…</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <NewOrganization opened={making} onClose={close} />
    </>
  );
}
