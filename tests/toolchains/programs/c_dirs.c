// opendir, readdir, stat and the like. Names are sorted, since hosts give them in any order.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void show(const char *path, int depth) {
    struct stat status;
    if (stat(path, &status) != 0) {
        printf("%s: stat: %s\n", path, strerror(errno));
        return;
    }
    if (!S_ISDIR(status.st_mode)) {
        printf("%*s%s: file %d, %lld bytes\n", depth * 2, "", path, S_ISREG(status.st_mode), (long long)status.st_size);
        return;
    }
    printf("%*s%s: directory\n", depth * 2, "", path);
    DIR *directory = opendir(path);
    if (!directory) {
        printf("opendir: %s\n", strerror(errno));
        return;
    }
    char *names[100];
    int count = 0, dots = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            dots++;
        else
            names[count++] = strdup(entry->d_name);
    }
    closedir(directory);
    qsort(names, (size_t)count, sizeof *names, compare);
    printf("%*s%d entries, dots %d\n", depth * 2 + 2, "", count, dots);
    for (int i = 0; i < count; i++) {
        char inner[512];
        snprintf(inner, sizeof inner, "%s/%s", path, names[i]);
        show(inner, depth + 1);
        free(names[i]);
    }
}

int main(int argc, char **argv) {
    show(argc > 1 ? argv[1] : ".", 0);
    printf("access: %d %d\n", access("hello.txt", R_OK), access("missing", F_OK));
    int file = open("hello.txt", O_RDONLY);
    char bytes[5] = "";
    ssize_t count = pread(file, bytes, 4, 7);
    off_t offset = lseek(file, -2, SEEK_END);
    printf("pread: %zd [%s], lseek: %lld\n", count, bytes, (long long)offset);
    int first = close(file), second = close(file);
    printf("close: %d %d\n", first, second);
    printf("isatty: %d %d\n", isatty(0), isatty(1));
    return 0;
}
