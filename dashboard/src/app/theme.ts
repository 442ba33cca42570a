import {
  convertCssVariables,
  createTheme,
  DEFAULT_THEME,
  defaultCssVariablesResolver,
  defaultVariantColorsResolver,
  mergeMantineTheme,
  type MantineColorsTuple,
} from '@mantine/core';

/** Deep blue-green: calm beside the status colours, which alone may shout. */
const petrol: MantineColorsTuple = [
  '#eaf4f6', '#d3e6ea', '#a5cdd6', '#74b1be', '#4b97a7', '#2a7789', '#1b6b7d', '#15505e', '#0f3f4b', '#082c35',
];

const gray: MantineColorsTuple = [
  '#f8f9f9', '#f1f3f3', '#e6e9ea', '#d9dedf', '#c6cdcf', '#9aa4a7', '#6a757a', '#495459', '#323b3f', '#1c2326',
];

const dark: MantineColorsTuple = [
  '#dfe4e6', '#b8c1c5', '#96a1a6', '#6b777d', '#3a4449', '#2c3539', '#1d2427', '#151b1e', '#101517', '#0a0e10',
];

export const theme = createTheme({
  primaryColor: 'petrol',
  primaryShade: { light: 7, dark: 5 },
  colors: { petrol, gray, dark },
  autoContrast: true,
  // Mantine's red is too pale to be read as text on either canvas.
  variantColorResolver: (input) => {
    const colors = defaultVariantColorsResolver(input);
    return input.variant === 'subtle' && input.color?.startsWith('red') ? { ...colors, color: 'var(--bad)' } : colors;
  },
  defaultRadius: 'md',
  cursorType: 'pointer',
  respectReducedMotion: true,
  fontFamily:
    'Inter, ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif',
  fontFamilyMonospace:
    'ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
  fontSizes: { xs: '0.75rem', sm: '0.875rem', md: '0.9375rem', lg: '1.0625rem', xl: '1.25rem' },
  radius: { xs: '3px', sm: '5px', md: '7px', lg: '10px', xl: '16px' },
  headings: {
    fontWeight: '650',
    sizes: {
      h1: { fontSize: '1.5rem', lineHeight: '1.25' },
      h2: { fontSize: '1.0625rem', lineHeight: '1.35' },
      h3: { fontSize: '0.9375rem', lineHeight: '1.4' },
    },
  },
  components: {
    // The scroll lock of overlays writes a style element, which the security policy refuses.
    Modal: { defaultProps: { lockScroll: false, centered: true, overlayProps: { backgroundOpacity: 0.4 } } },
    Drawer: { defaultProps: { lockScroll: false, position: 'right', overlayProps: { backgroundOpacity: 0.4 } } },
    // Mantine's header elements in a portal would count as further banners of the page.
    ModalHeader: { defaultProps: { component: 'div' } },
    DrawerHeader: { defaultProps: { component: 'div' } },
    Checkbox: { defaultProps: { radius: 'xs' } },
    Tooltip: { defaultProps: { openDelay: 250, withArrow: true } },
  },
});

/**
 * Puts the theme's variables into a constructed style sheet. Mantine would write a style element,
 * for which the content security policy would have to allow inline styles.
 */
export function installThemeVariables(): void {
  const merged = mergeMantineTheme(DEFAULT_THEME, theme);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(convertCssVariables(defaultCssVariablesResolver(merged), ':root'));
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}
