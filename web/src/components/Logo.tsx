/** The mark: two threads, woven. */
export function Logo({ size = 28 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden>
      <rect width="32" height="32" rx="8" fill="#0b6e69" />
      <g fill="none" stroke="#fff" strokeWidth="3" strokeLinecap="round">
        <path d="M12 6.500v19M20 6.500v2M20 15.500v10" />
        <path d="M6.500 12h2M15.500 12h10M6.500 20h10M23.500 20h2" stroke="#8fe3d4" />
      </g>
    </svg>
  );
}
