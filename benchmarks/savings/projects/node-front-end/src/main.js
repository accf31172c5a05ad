import ms from "ms";

document.title = `open for ${ms(3600000)}`;
