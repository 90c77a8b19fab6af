import { IconTrash } from "@tabler/icons-react";

import type { Permission } from "@/api/types";
import { ConfirmButton } from "./ConfirmButton";
import { Permitted } from "./Permitted";

/** A delete that asks first, and shows why when the service refuses; only for those who may. */
export function DeleteButton({ permission, what, consequence, onConfirm, pending, error, size }: {
  permission: Permission;
  what: string;
  consequence?: string;
  onConfirm: () => void;
  pending: boolean;
  error: unknown;
  size?: string;
}) {
  return (
    <Permitted to={permission}>
      <ConfirmButton label="Delete" ariaLabel={`Delete ${what}`} icon={<IconTrash size={15} aria-hidden />} button={{ size }}
        title={`Delete ${what}?`} text={consequence ?? "It goes out of every list. Tables already loaded stay in the warehouse."}
        confirm="Delete" keep="Keep it" pending={pending} error={error} onConfirm={onConfirm} />
    </Permitted>
  );
}
