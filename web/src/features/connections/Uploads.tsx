import { Button, CloseButton, FileButton, Group, Input, Progress, Stack, Text } from "@mantine/core";
import { IconFileSpreadsheet, IconUpload } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type DragEvent, type ReactNode } from "react";

import { changed, uploads } from "@/api/queries";
import type { Dialect } from "@/api/types";
import { Sending } from "@/api/upload";
import { ErrorAlert } from "@/components/ErrorAlert";
import type { Field } from "@/components/schema/fields";
import { bytes } from "@/components/time";
import { FileDrift } from "./FileDrift";
import { FileInspection } from "./FileInspection";

interface Props {
  ids: number[];
  /** The saved connection: a file of the same name as one of its own is a newer version. */
  connectionId?: number;
  onChange: (ids: number[]) => void;
  field: Pick<Field, "label" | "required">;
  /** For CSV: how the files are read now. */
  dialect?: Dialect;
  onDialect: (dialect: Dialect) => void;
  error?: ReactNode;
}

interface Way {
  sending: Sending;
  percent: number;
  failure?: unknown;
}

/** The files of a file connection: drop them here or choose them. */
export function Uploads({ ids, connectionId, onChange, field, dialect, onDialect, error }: Props) {
  const known = useQuery(uploads());
  const [way, setWay] = useState<Way | null>(null);
  const [newer, setNewer] = useState<number[]>([]);
  const [inspected, setInspected] = useState<number | null>(null);
  const [over, setOver] = useState(false);
  const client = useQueryClient();

  async function send(sendings: Sending[]) {
    let next = ids;
    for (const sending of sendings) {
      const progress = (percent: number) => setWay({ sending, percent });
      progress(0);
      try {
        const upload = await sending.send(progress);
        await changed.uploads();
        // Asked anew: what this page knew when the file was dropped may have been nothing yet.
        const { items } = await client.fetchQuery(uploads());
        const former = next.find((id) => items.some((item) => item.id === id && item.filename === upload.filename));
        if (former) setNewer((all) => [...all.filter((id) => id !== former), upload.id]);
        next = [...next.filter((id) => id !== former), upload.id];
        onChange(next);
        setInspected(upload.id);
        setWay(null);
      } catch (failure) {
        return setWay((last) => last && { ...last, failure });
      }
    }
  }

  const add = (files: File[]) => send(files.map((file) => new Sending(file)));

  function drop(event: DragEvent) {
    event.preventDefault();
    setOver(false);
    void add([...event.dataTransfer.files]);
  }

  return (
    <Input.Wrapper label={field.label} withAsterisk={field.required} className="wide" error={error} labelElement="div" description="Plain or packed, up to 1 GB. Each file becomes a table you can load; one of the same name takes the place of the older.">
      <Stack gap="xs" mt={6} p="md" data-over={over || undefined} className="dropzone" onDrop={drop}
        onDragOver={(event) => (event.preventDefault(), setOver(true))} onDragLeave={() => setOver(false)}>
        <Group justify="center" gap="xs">
          <IconUpload size={18} aria-hidden />
          <Text size="sm">Drop files here, or</Text>
          <FileButton multiple onChange={(files) => void add(files)} inputProps={{ "aria-label": "Choose files" }}>
            {(props) => <Button size="xs" variant="default" {...props}>Choose files</Button>}
          </FileButton>
        </Group>
        {way && <OnTheWay way={way} onGoOn={() => void send([way.sending])} onGiveUp={() => (void way.sending.giveUp().catch(() => undefined), setWay(null))} />}
        {ids.map((id) => {
          const upload = known.data?.items.find((item) => item.id === id);
          const name = upload?.filename ?? `Upload ${id}`;
          return (
            <div key={id}>
              <Group justify="space-between" wrap="nowrap" className="surface" px="sm" py={4} gap="xs">
                <Group gap="xs" wrap="nowrap" style={{ minWidth: 0 }}>
                  <IconFileSpreadsheet size={18} aria-hidden />
                  <Text size="sm" truncate>{name}</Text>
                  {upload && <Text size="sm" c="dimmed" className="nowrap">{bytes(upload.size)}</Text>}
                </Group>
                <Group gap={4} wrap="nowrap">
                  {dialect && <Button size="compact-xs" variant="subtle" aria-label={`Inspect ${name}`} aria-expanded={inspected === id} onClick={() => setInspected(inspected === id ? null : id)}>Inspect</Button>}
                  <CloseButton aria-label={`Remove ${name}`} onClick={() => onChange(ids.filter((other) => other !== id))} />
                </Group>
              </Group>
              {connectionId && newer.includes(id) && <FileDrift connectionId={connectionId} uploadId={id} />}
              {dialect && inspected === id && <FileInspection uploadId={id} read={dialect} onDialect={onDialect} />}
            </div>
          );
        })}
      </Stack>
    </Input.Wrapper>
  );
}

function OnTheWay({ way, onGoOn, onGiveUp }: { way: Way; onGoOn: () => void; onGiveUp: () => void }) {
  const { name } = way.sending.file;
  return (
    <div>
      <div role="status">
        <Text size="sm">{name}: {way.percent} %</Text>
        <Progress value={way.percent} aria-label={`Upload of ${name}`} />
      </div>
      {way.failure ? (
        <>
          <ErrorAlert error={way.failure} title="The file has not come whole" />
          <Group gap="xs" mt="xs">
            <Button size="xs" onClick={onGoOn}>Go on with {name}</Button>
            <Button size="xs" variant="default" onClick={onGiveUp}>Give it up</Button>
          </Group>
        </>
      ) : null}
    </div>
  );
}
