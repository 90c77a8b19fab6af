import { Avatar, Menu, UnstyledButton, VisuallyHidden } from "@mantine/core";
import { IconLogout, IconUserCircle } from "@tabler/icons-react";
import { Link } from "react-router";

import { signOut } from "@/api/queries";
import type { Me } from "@/api/types";

/** Who is signed in, in which role, and the way out. */
export function UserMenu({ me }: { me: Me | undefined }) {
  const initials = me?.user.name.split(/\s+/).map((word) => word[0]).slice(0, 2).join("").toUpperCase();
  return (
    <Menu position="bottom-end" width={230}>
      <Menu.Target>
        <UnstyledButton style={{ borderRadius: "50%" }}>
          <Avatar size={34} color="weave" variant="filled">{initials}</Avatar>
          <VisuallyHidden>Account</VisuallyHidden>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label className="break">{me ? `${me.user.name} (${me.user.email}), ${me.role}` : ""}</Menu.Label>
        <Menu.Item component={Link} to="/profile" leftSection={<IconUserCircle size={16} aria-hidden />}>Profile</Menu.Item>
        <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => void signOut()}>Sign out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
