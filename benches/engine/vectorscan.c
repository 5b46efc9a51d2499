/* Times vectorscan (or Hyperscan) on regexes and a text: `vectorscan PATTERNS TEXT ROUNDS`, a regex a line.
 * Prints: milliseconds to build, microseconds a scan (the least of the rounds), bytes of the database, and
 * how many regexes match. Built by the bench when the library is there. */
#include <hs/hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static char *read_whole(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (!file) { perror(path); exit(66); }
    fseek(file, 0, SEEK_END);
    *length = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(*length + 1);
    if (!text || fread(text, 1, *length, file) != *length) { perror(path); exit(66); }
    text[*length] = 0;
    fclose(file);
    return text;
}

static int matched(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *seen) {
    (void)from; (void)to; (void)flags;
    ((char *)seen)[id] = 1;
    return 0;
}

int main(int count, char **arguments) {
    if (count != 4) { fprintf(stderr, "vectorscan PATTERNS TEXT ROUNDS\n"); return 64; }
    size_t length, patterns_length;
    char *patterns = read_whole(arguments[1], &patterns_length);
    char *text = read_whole(arguments[2], &length);
    unsigned lines = 0;
    for (size_t at = 0; at < patterns_length; at++) lines += patterns[at] == '\n';
    const char **written = malloc(lines * sizeof *written);
    unsigned *flags = malloc(lines * sizeof *flags), *ids = malloc(lines * sizeof *ids);
    char *seen = calloc(lines + 1, 1), *line = patterns;
    if (!written || !flags || !ids || !seen) return 71;
    for (unsigned at = 0; at < lines; at++) {
        char *end = strchr(line, '\n');
        *end = 0;
        written[at] = line;
        flags[at] = HS_FLAG_CASELESS | HS_FLAG_SINGLEMATCH;
        ids[at] = at;
        line = end + 1;
    }
    hs_database_t *database = NULL;
    hs_compile_error_t *error = NULL;
    double begun = now();
    if (hs_compile_multi(written, flags, ids, lines, HS_MODE_BLOCK, NULL, &database, &error) != HS_SUCCESS) {
        fprintf(stderr, "regex %d: %s\n", error->expression, error->message);
        return 65;
    }
    double built = now() - begun;
    hs_scratch_t *scratch = NULL;
    if (hs_alloc_scratch(database, &scratch) != HS_SUCCESS) return 71;
    double least = 1e9;
    for (int round = atoi(arguments[3]); round > 0; round--) {
        memset(seen, 0, lines);
        begun = now();
        hs_scan(database, text, (unsigned)length, 0, scratch, matched, seen);
        double taken = now() - begun;
        if (taken < least) least = taken;
    }
    unsigned matches = 0;
    for (unsigned at = 0; at < lines; at++) matches += (unsigned)seen[at];
    size_t size = 0;
    hs_database_size(database, &size);
    printf("%.3f %.1f %zu %u\n", built * 1e3, least * 1e6, size, matches);
    return 0;
}
