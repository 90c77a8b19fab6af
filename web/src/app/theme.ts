/** Colours and sizes. Every text colour here keeps the AA contrast of 4.5:1 on its ground. */
import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";

const weave: MantineColorsTuple = [
  "#e9f8f5", "#d3eee8", "#a5dcd2", "#72cabb", "#48baa7",
  "#25a18f", "#12867a", "#0b6e69", "#085954", "#05423f",
];

export const theme = createTheme({
  primaryColor: "weave",
  primaryShade: { light: 7, dark: 7 },
  colors: { weave },
  defaultRadius: "md",
  cursorType: "pointer",
  respectReducedMotion: true,
  fontFamily: 'Inter, "Segoe UI", system-ui, -apple-system, Roboto, "Helvetica Neue", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "JetBrains Mono", "SF Mono", Menlo, Consolas, monospace',
  headings: { fontWeight: "650", sizes: { h1: { fontSize: "1.5rem" }, h2: { fontSize: "1.1rem" } } },
  components: {
    Anchor: { defaultProps: { underline: "hover" } },
    Tooltip: { defaultProps: { openDelay: 300, events: { hover: true, focus: true, touch: true } } },
    // Its <header> would be a second banner of the page.
    Modal: { defaultProps: { closeButtonProps: { "aria-label": "Close" }, attributes: { header: { role: "presentation" } }, styles: { title: { fontWeight: 650 } } } },
    Notification: { defaultProps: { closeButtonProps: { "aria-label": "Close" } } },
    // What scrolls can be scrolled with the keyboard as well.
    TableScrollContainer: { defaultProps: { tabIndex: 0 } },
    Table: { defaultProps: { verticalSpacing: "xs", horizontalSpacing: "md", highlightOnHover: true } },
  },
});

export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-body": "#f7f9f9",
    "--etl-surface": "#ffffff",
    "--etl-border": "#dde4e4",
    "--mantine-color-dimmed": "#55605f",
    "--mantine-color-placeholder": "#667170",
    "--mantine-color-error": "#b42318",
    "--mantine-color-anchor": "#0b6e69",
  },
  dark: {
    "--mantine-color-body": "#14191a",
    "--etl-surface": "#1c2324",
    "--etl-border": "#334042",
    "--mantine-color-dimmed": "#a3b0b0",
    "--mantine-color-placeholder": "#93a0a0",
    "--mantine-color-error": "#ff9a8f",
    "--mantine-color-anchor": "#72cabb",
    "--mantine-color-default": "#232c2d",
    "--mantine-color-default-border": "#3c4a4c",
  },
});
