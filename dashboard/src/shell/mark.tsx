// Bridle's mark: a winged horse in a golden bridle.

export function Mark({ size }: { readonly size: number }) {
  return (
    <svg viewBox="0 0 48 48" width={size} height={size} fill="none" aria-hidden="true">
      <g fill="var(--accent)">
        <path d="M24.2 2.8C24.8 5.2 24.3 7.2 22.8 9 17.5 12.6 12.9 19.4 6.3 26.2c-2.2 2.3-2.3 5.3-.5 7.1 1.9 1.9 4.9 1.7 7.1-.1 1.9-1.6 3.4-2.2 5.6-2.2 2.3 2 5.6 2.1 8.2.3C26.5 36.5 22.3 40 20.3 46H37.7C39.3 36 37.3 22.5 28.8 12.7 28.1 8.8 26.8 5.4 24.2 2.8Z" />
        <path d="M31.3 12.1C37.1 12.2 43.2 8.7 46.2 2.5 48.3 12 43.8 19.6 35.9 19.8 34.6 17 33.1 14.4 31.3 12.1Z" />
        <path d="M37 22.4C41 22.3 44.9 19.9 47 15.9 48.2 22.9 45 28.7 39.1 29.2 38.6 26.8 37.9 24.5 37 22.4Z" />
        <path d="M39.6 31.7C42.5 31.4 45.2 29.7 46.9 27 47.4 32.4 45 36.8 40.2 37.7 40.2 35.7 40 33.7 39.6 31.7Z" />
      </g>
      <g stroke="var(--brass-line)" strokeWidth="2" strokeLinecap="round">
        <path d="M10.6 21.7C13.3 24.2 15 27.3 15.4 31" />
        <path d="M14 26.3 25.8 10.4" />
        <path d="M15.6 29.3C21 36.5 29 39.5 38 36" />
      </g>
      <circle
        cx="15.4"
        cy="30"
        r="2.3"
        fill="var(--surface)"
        stroke="var(--brass-line)"
        strokeWidth="1.7"
      />
    </svg>
  );
}
