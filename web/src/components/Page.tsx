import { Anchor, Box, Breadcrumbs, Group, Stack, Text, Title } from "@mantine/core";
import { useEffect, type ReactNode } from "react";
import { Link } from "react-router";

interface Crumb {
  label: string;
  to: string;
}

interface Props {
  title: string;
  description?: ReactNode;
  crumbs?: Crumb[];
  actions?: ReactNode;
  children: ReactNode;
}

/** The frame of every page: one h1, where it stands, what can be done. */
export function Page({ title, description, crumbs, actions, children }: Props) {
  useEffect(() => {
    document.title = `${title} · ETL Fabric`;
  }, [title]);
  return (
    <Stack gap="md">
      <Group justify="space-between" align="flex-end" gap="sm">
        <Box style={{ minWidth: 0 }}>
          {crumbs && (
            <Breadcrumbs component="nav" aria-label="Breadcrumb" mb={4} separatorMargin={6}>
              {crumbs.map((crumb) => (
                <Anchor key={crumb.to} component={Link} to={crumb.to} size="sm">{crumb.label}</Anchor>
              ))}
            </Breadcrumbs>
          )}
          <Title order={1} className="break">{title}</Title>
          {description && <Text c="dimmed" size="sm" component="div" mt={2}>{description}</Text>}
        </Box>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      {children}
    </Stack>
  );
}

/** A titled white box on a page. */
export function Panel({ title, actions, children, p = "md", danger = false }: {
  title?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  p?: string | number;
  danger?: boolean;
}) {
  return (
    <Box component="section" className={danger ? "surface danger" : "surface"} style={{ minWidth: 0 }}>
      {title && (
        <Group justify="space-between" px="md" pt="sm" pb={p === 0 ? "xs" : 0} gap="xs">
          <Title order={2}>{title}</Title>
          {actions}
        </Group>
      )}
      <Box p={p}>{children}</Box>
    </Box>
  );
}
