import {
  IconApi, IconBrandAws, IconBrandGoogleBigQuery, IconBrandMysql, IconBrandSnowflake, IconBrandWindows, IconDatabase, IconFileTypeCsv,
  IconPlugConnected,
} from "@tabler/icons-react";

const ICONS: Record<string, typeof IconDatabase> = {
  csv: IconFileTypeCsv,
  postgres: IconDatabase,
  mysql: IconBrandMysql,
  mssql: IconBrandWindows,
  redshift: IconBrandAws,
  snowflake: IconBrandSnowflake,
  bigquery: IconBrandGoogleBigQuery,
  sqlite: IconDatabase,
  duckdb: IconDatabase,
  rest_api: IconApi,
};

export function ConnectorIcon({ connector, size = 22 }: { connector: string; size?: number }) {
  const Icon = ICONS[connector] ?? IconPlugConnected;
  return <Icon size={size} aria-hidden />;
}
