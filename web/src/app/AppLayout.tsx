import { ActionIcon, AppShell, Burger, Group, NavLink, Text, Tooltip } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Spotlight, spotlight } from "@mantine/spotlight";
import { IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Suspense, useEffect } from "react";
import { Link, Outlet, useLocation, useNavigate } from "react-router";

import { me } from "@/api/queries";
import { LoadingBars } from "@/components/Loaded";
import { Logo } from "@/components/Logo";
import { ColorSchemeToggle } from "./ColorSchemeToggle";
import { places, SCHEMA_CHANGES } from "./navigation";
import { OrganizationMenu } from "./OrganizationMenu";
import { PendingChanges } from "./PendingChanges";
import { UserMenu } from "./UserMenu";

function isHere(pathname: string, to: string): boolean {
  return to === "/" ? pathname === "/" : pathname === to || pathname.startsWith(`${to}/`);
}

/** Header, navigation and the one main of every signed-in page. */
export function AppLayout() {
  const [opened, { toggle, close }] = useDisclosure();
  const { pathname } = useLocation();
  const navigate = useNavigate();
  const who = useQuery(me());
  const groups = places(who.data);
  useEffect(close, [pathname, close]);

  return (
    <AppShell header={{ height: 56 }} navbar={{ width: 232, breakpoint: "sm", collapsed: { mobile: !opened } }} padding="md">
      <a className="skip-link" href="#main">Skip to the content</a>
      <AppShell.Header style={{ background: "var(--etl-surface)" }}>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap" style={{ minWidth: 0 }}>
            <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Navigation" aria-expanded={opened} />
            <Link to="/" aria-label="ETL Fabric, home" style={{ display: "flex" }}><Logo /></Link>
            <Text fw={650} visibleFrom="sm" className="nowrap">ETL Fabric</Text>
            <Text c="dimmed" visibleFrom="sm" aria-hidden>/</Text>
            {who.data && <OrganizationMenu me={who.data} />}
          </Group>
          <Group gap="xs" wrap="nowrap">
            <Tooltip label="Go to… (Ctrl K)">
              <ActionIcon variant="subtle" color="gray" size="lg" aria-label="Go to" onClick={spotlight.open}><IconSearch size={18} /></ActionIcon>
            </Tooltip>
            <ColorSchemeToggle />
            <UserMenu me={who.data} />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" style={{ background: "var(--etl-surface)", overflowY: "auto" }} aria-label="Main">
        {groups.map((group) => (
          <div key={group.title ?? ""} role={group.title ? "group" : undefined} aria-label={group.title}>
            {group.title && <Text size="xs" fw={600} c="dimmed" px="sm" pt="md" pb={4} aria-hidden>{group.title}</Text>}
            {group.places.map(({ to, label, icon: Icon }) => (
              <NavLink key={to} component={Link} to={to} label={label} active={isHere(pathname, to)} style={{ borderRadius: 8 }}
                aria-current={isHere(pathname, to) ? "page" : undefined} rightSection={to === SCHEMA_CHANGES ? <PendingChanges /> : undefined} leftSection={<Icon size={18} aria-hidden />} />
            ))}
          </div>
        ))}
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1} style={{ outline: "none" }}>
        <Suspense fallback={<LoadingBars />}><Outlet /></Suspense>
      </AppShell.Main>
      <Spotlight shortcut={["mod + K"]} nothingFound="Nothing found" searchProps={{ placeholder: "Go to…", "aria-label": "Go to" }}
        actions={groups.flatMap((group) => group.places).map(({ to, label, icon: Icon }) => ({
          id: to, label, onClick: () => void navigate(to), leftSection: <Icon size={18} aria-hidden />,
        }))} />
    </AppShell>
  );
}
