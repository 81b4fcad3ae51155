#include "../../Sources/agentos-supervise/explain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

// What is said of a program that the kernel really refuses.
static const char *why(const char *program, char **environment) {
    static char text[1024];
    struct text t = TEXT_IN(text);
    char *argv[] = {(char *)program, NULL}, *nothing[] = {NULL};
    struct specification spec = {.argv = argv, .envp = environment ? environment : nothing};
    int fds[2], error = 0;
    CHECK(pipe(fds) == 0);
    if (fork() == 0) {
        environ = spec.envp;
        execvp(*argv, argv);
        _exit(write(fds[1], &errno, sizeof errno) != sizeof errno);
    }
    close(fds[1]);
    CHECK(read(fds[0], &error, sizeof error) == sizeof error);
    close(fds[0]);
    wait(NULL);
    char **kept = environ;
    environ = spec.envp;
    explain_exec(&t, &spec, error);
    environ = kept;
    return text_end(&t, text);
}

static void check_programs(void) {
    char *path[] = {"PATH=/usr/bin:/bin", NULL};
    CHECK_TEXT(why("/nowhere/x", NULL), "there is no file \"/nowhere/x\"");
    CHECK_TEXT(why("nonesuch", path), "there is no program \"nonesuch\" in the directories of PATH");
    CHECK_TEXT(
        why("sleep 600", path),
        "there is no program \"sleep 600\" in the directories of PATH; the words of a command are items of a list");
    CHECK_TEXT(
        why("/bin/sleep 600", path), "there is no file \"/bin/sleep 600\"; the words of a command are items of a list");
    CHECK_TEXT(why("", path), "the name of the program is empty");
    CHECK(symlink("target", "dangling") == 0);
    CHECK_TEXT(why("./dangling", NULL), "\"./dangling\" is a link to \"target\", which is not there");
    CHECK_TEXT(why("/etc", NULL), "\"/etc\" is a directory");
    CHECK_TEXT(why("/etc/passwd/x", NULL), "\"/etc/passwd/x\" leads through a file that is not a directory");
    write_text("plain", "#!/bin/sh\n", 0644);
    char wanted[128];
    snprintf(wanted, sizeof wanted, "\"./plain\" may not be executed by user %d: its mode is 0644", (int)geteuid());
    CHECK_TEXT(why("./plain", NULL), wanted);
    write_text("windows", "#!/bin/sh\r\necho\r\n", 0755);
    CHECK_TEXT(
        why("./windows", NULL),
        "the interpreter \"/bin/sh\\r\" of the script \"./windows\" is not there: its first line ends in a carriage "
        "return; save it with the line ends of Unix");
    write_text("alien", "#! /opt/none/python -u\n", 0755);
    CHECK_TEXT(why("./alien", NULL), "the interpreter \"/opt/none/python\" of the script \"./alien\" is not there");
}

static void check_sizes(void) {
    char *big = malloc(200000);
    memset(big, 'x', 199999);
    big[199999] = 0;
    memcpy(big, "BIG=", 4);
    char *environment[] = {"SMALL=1", big, NULL};
    CHECK_TEXT(
        why("/bin/true", environment), "the variable \"BIG\" has 199999 bytes; the kernel takes at most 131071");
    // Many variables, none of them too large.
    static char *many[101];
    for (int i = 0; i < 100; i++) {
        many[i] = malloc(100000);
        memset(many[i], 'x', 99999);
        many[i][99999 - (i == 40 ? 0 : 1)] = 0;
        memcpy(many[i], i == 40 ? "MOST=" : "MANY=", 5);
    }
    CHECK_TEXT(
        why("/bin/true", many),
        "the arguments and the environment have 10000719 bytes together, more than the kernel takes; the largest is the "
        "variable \"MOST\" with 99999 bytes");
}

void check_explanations(void) {
    check_programs();
    check_sizes();
    char text[256];
    struct text t = TEXT_IN(text);
    struct specification spec = {.directory = "/nowhere"};
    explain_directory(&t, &spec, ENOENT);
    CHECK_TEXT(text_end(&t, text), "\"/nowhere\" does not exist");
    struct text u = TEXT_IN(text);
    explain_directory(&u, &spec, ENOTDIR);
    CHECK_TEXT(text_end(&u, text), "\"/nowhere\" is not a directory");
}
