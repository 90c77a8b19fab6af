import { Button, CloseButton, FileButton, Group, Input, Progress, Stack, Text } from "@mantine/core";
import { IconFileSpreadsheet, IconUpload } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState, type DragEvent, type ReactNode } from "react";

import { changed, uploads } from "@/api/queries";
import { sendFile } from "@/api/upload";
import { ErrorAlert } from "@/components/ErrorAlert";
import { bytes } from "@/components/time";

interface Props {
  ids: number[];
  onChange: (ids: number[]) => void;
  error?: ReactNode;
}

/** The files of a file connection: drop them here or choose them. */
export function Uploads({ ids, onChange, error }: Props) {
  const known = useQuery(uploads());
  const [sending, setSending] = useState<{ name: string; percent: number } | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  const [over, setOver] = useState(false);

  async function add(files: File[]) {
    setFailure(null);
    let next = ids;
    try {
      for (const file of files) {
        setSending({ name: file.name, percent: 0 });
        const upload = await sendFile(file, (percent) => setSending({ name: file.name, percent }));
        await changed.uploads();
        next = [...next, upload.id];
        onChange(next);
      }
    } catch (problem) {
      setFailure(problem);
    } finally {
      setSending(null);
    }
  }

  function drop(event: DragEvent) {
    event.preventDefault();
    setOver(false);
    void add([...event.dataTransfer.files]);
  }

  return (
    <Input.Wrapper label="Files" withAsterisk error={error} labelElement="div" description="CSV, plain or zipped. Each file becomes a table you can load.">
      <Stack gap="xs" mt={6} p="md" data-over={over || undefined} className="dropzone" onDrop={drop}
        onDragOver={(event) => (event.preventDefault(), setOver(true))} onDragLeave={() => setOver(false)}>
        <Group justify="center" gap="xs">
          <IconUpload size={18} aria-hidden />
          <Text size="sm">Drop files here, or</Text>
          <FileButton multiple onChange={(files) => void add(files)} inputProps={{ "aria-label": "Choose files" }}>
            {(props) => <Button size="xs" variant="default" {...props}>Choose files</Button>}
          </FileButton>
        </Group>
        {sending && (
          <div role="status">
            <Text size="sm">{sending.name}: {sending.percent} %</Text>
            <Progress value={sending.percent} aria-label={`Upload of ${sending.name}`} />
          </div>
        )}
        <ErrorAlert error={failure} title="The file was not stored" />
        {ids.map((id) => {
          const upload = known.data?.items.find((item) => item.id === id);
          const name = upload?.filename ?? `Upload ${id}`;
          return (
            <Group key={id} justify="space-between" wrap="nowrap" className="surface" px="sm" py={4}>
              <Group gap="xs" wrap="nowrap" style={{ minWidth: 0 }}>
                <IconFileSpreadsheet size={18} aria-hidden />
                <Text size="sm" truncate>{name}</Text>
                {upload && <Text size="sm" c="dimmed" className="nowrap">{bytes(upload.size)}</Text>}
              </Group>
              <CloseButton aria-label={`Remove ${name}`} onClick={() => onChange(ids.filter((other) => other !== id))} />
            </Group>
          );
        })}
      </Stack>
    </Input.Wrapper>
  );
}
