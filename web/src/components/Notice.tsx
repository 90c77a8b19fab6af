import { Alert } from "@mantine/core";
import { IconInfoCircle } from "@tabler/icons-react";
import type { ReactNode } from "react";

/** Something to know before going on. `alert` is read out at once. */
export function Notice({ title, children, alert = false }: { title?: string; children: ReactNode; alert?: boolean }) {
  return (
    <Alert className="state-yellow" title={title} role={alert ? "alert" : "note"} icon={<IconInfoCircle aria-hidden />}
      styles={{ title: { color: "inherit" }, message: { color: "inherit" }, icon: { color: "inherit" } }}>
      {children}
    </Alert>
  );
}
