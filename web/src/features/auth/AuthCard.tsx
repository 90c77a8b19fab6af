import { Box, Center, Group, Stack, Text, Title } from "@mantine/core";
import { useEffect, type ReactNode } from "react";

import { Logo } from "@/components/Logo";

/** The frame of every page outside an organization: sign-in, sign-up, links of e-mails. */
export function AuthCard({ title, text, children }: { title: string; text?: ReactNode; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · ETL Fabric`;
  }, [title]);
  return (
    <Center component="main" mih="100vh" p="md">
      <Box className="surface" p="xl" w="100%" maw={430}>
        <Stack gap="lg">
          <Group gap="sm"><Logo size={36} /><Text fw={650} size="lg">ETL Fabric</Text></Group>
          <div>
            <Title order={1} className="break">{title}</Title>
            {text && <Text c="dimmed" size="sm" mt={4} component="div">{text}</Text>}
          </div>
          {children}
        </Stack>
      </Box>
    </Center>
  );
}
