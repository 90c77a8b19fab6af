import {
  IconBinaryTree2, IconHome, IconPlayerPlay, IconPlugConnected, IconSql, IconTable, IconTransfer,
} from "@tabler/icons-react";

/** The places of the interface, in the order in which data flows through them. */
export const PLACES = [
  { to: "/", label: "Home", icon: IconHome },
  { to: "/connections", label: "Connections", icon: IconPlugConnected },
  { to: "/pipelines", label: "Pipelines", icon: IconTransfer },
  { to: "/transformations", label: "Transformations", icon: IconSql },
  { to: "/workflows", label: "Workflows", icon: IconBinaryTree2 },
  { to: "/runs", label: "Runs", icon: IconPlayerPlay },
  { to: "/tables", label: "Tables", icon: IconTable },
];
