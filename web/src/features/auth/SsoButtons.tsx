import { Button, Divider, Stack } from "@mantine/core";
import { IconBrandGithub, IconBrandGoogle, IconLogin2 } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";

import { providers } from "@/api/queries";

const ICONS: Record<string, typeof IconLogin2> = { google: IconBrandGoogle, github: IconBrandGithub };

/** Ways to sign in without a password, where the installation has any. */
export function SsoButtons({ next }: { next: string }) {
  const { data } = useQuery(providers());
  if (!data?.items.length) return null;
  return (
    <Stack gap="xs">
      {data.items.map(({ name, label }) => {
        const Icon = ICONS[name] ?? IconLogin2;
        return (
          <Button key={name} component="a" variant="default" leftSection={<Icon size={17} aria-hidden />}
            href={`/api/v1/auth/sso/${encodeURIComponent(name)}/start?next=${encodeURIComponent(next)}`}>
            Continue with {label}
          </Button>
        );
      })}
      <Divider label="or" labelPosition="center" />
    </Stack>
  );
}
