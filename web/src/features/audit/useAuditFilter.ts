/** The filters of the audit, kept in the address. */
import { useParam } from "@/components/useParam";

const DAY_MS = 86_400_000;

export interface AuditQuery {
  action?: string;
  resource_type?: string;
  user_id?: number;
  since?: string;
  until?: string;
}

/** A day as the moment at which it begins here; the last day counts to its end. */
export function moment(day: string, end = false): string | undefined {
  const begin = new Date(`${day}T00:00:00`);
  if (Number.isNaN(begin.getTime())) return undefined;
  return new Date(begin.getTime() + (end ? DAY_MS : 0)).toISOString();
}

export function useAuditFilter() {
  const [person, setPerson] = useParam("person");
  const [action, setAction] = useParam("action");
  const [type, setType] = useParam("type");
  const [from, setFrom] = useParam("from");
  const [to, setTo] = useParam("to");
  const query: AuditQuery = {
    action: action || undefined,
    resource_type: type || undefined,
    user_id: Number(person) || undefined,
    since: moment(from),
    until: moment(to, true),
  };
  return { person, setPerson, action, setAction, type, setType, from, setFrom, to, setTo, query };
}

/** The same filters as the address of the CSV file. */
export function csvPath(query: AuditQuery): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) params.set(name, String(value));
  return `/api/v1/audit.csv?${params}`;
}
