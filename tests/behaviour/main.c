/* behaviour: the tests of tests.def.
 *
 *   behaviour list              names, with the questions that they answer
 *   behaviour run [-v] NAME...  runs them; a failure prints the exchange and ends the process
 *   behaviour ladder NAME       prints the exchange of a test, as far as its last chart goes
 *   behaviour questions         what they ask
 *   behaviour contents          the table of contents of docs/behaviour.md */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "chart.h"

static const struct {
    unsigned number;
    const char *name;
    void (*run)(void);
} tests[] = {
#define TEST(number, name, file) {number, #name, scenario_##name},
#include "tests.def"
#undef TEST
};

static const struct {
    unsigned number;
    const char *section, *text;
} questions[] = {
#define QUESTION(number, section, text) {number, #section, text},
#include "questions.def"
#undef QUESTION
};

enum { TESTS = sizeof tests / sizeof tests[0], QUESTIONS = sizeof questions / sizeof questions[0] };

static const char *question_of(unsigned number)
{
    for (size_t i = 0; i < QUESTIONS; i++) {
        if (questions[i].number == number) {
            return questions[i].text;
        }
    }
    return NULL;
}

/* Every test has a question, else there would be no place for it in the documentation. */
static int list(void)
{
    for (size_t i = 0; i < TESTS; i++) {
        const char *question = question_of(tests[i].number);
        if (question == NULL) {
            (void)fprintf(stderr, "there is no question %u for %s\n", tests[i].number,
                          tests[i].name);
            return 1;
        }
        (void)printf("%-40s %2u. %s\n", tests[i].name, tests[i].number, question);
    }
    return 0;
}

static int list_questions(void)
{
    for (size_t i = 0; i < QUESTIONS; i++) {
        (void)printf("%u. %s\n", questions[i].number, questions[i].text);
    }
    return 0;
}

/* The anchor that a heading gets on GitHub: lower case, spaces become hyphens, punctuation goes. */
static void print_anchor(unsigned number, const char *text)
{
    (void)printf("#%u-", number);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (isalnum(c) || c == '-' || c == '_') {
            (void)putchar(tolower(c));
        } else if (c == ' ') {
            (void)putchar('-');
        }
    }
}

static int contents(void)
{
    const char *section = "";
    for (size_t i = 0; i < QUESTIONS; i++) {
        if (strcmp(section, questions[i].section) != 0) {
            section = questions[i].section;
            (void)printf("\n**%s**\n\n", section);
        }
        (void)printf("%u. [%s](", questions[i].number, questions[i].text);
        print_anchor(questions[i].number, questions[i].text);
        (void)printf(")\n");
    }
    (void)putchar('\n');
    return 0;
}

/* Runs one test; `ladder`: and prints its last exchange. */
static bool run(const char *name, bool verbose, bool ladder)
{
    for (size_t i = 0; i < TESTS; i++) {
        if (strcmp(tests[i].name, name) == 0) {
            chart_name(name, verbose);
            chart_begin(NULL);
            tests[i].run();
            if (ladder) {
                record_draw(stdout);
            }
            chart_end();
            return true;
        }
    }
    (void)fprintf(stderr, "there is no test %s\n", name);
    return false;
}

int main(int argc, char **argv)
{
    if (skua_init() != SKUA_OK) {
        return 2;
    }
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        return list();
    }
    if (argc == 2 && strcmp(argv[1], "questions") == 0) {
        return list_questions();
    }
    if (argc == 2 && strcmp(argv[1], "contents") == 0) {
        return contents();
    }
    if (argc == 3 && strcmp(argv[1], "ladder") == 0) {
        return run(argv[2], false, true) ? 0 : 1;
    }
    bool verbose = argc > 2 && strcmp(argv[2], "-v") == 0;
    if (argc < (verbose ? 4 : 3) || strcmp(argv[1], "run") != 0) {
        (void)fprintf(
            stderr,
            "usage: behaviour list | run [-v] NAME... | ladder NAME | questions | contents\n");
        return 2;
    }
    for (int i = verbose ? 3 : 2; i < argc; i++) {
        if (!run(argv[i], verbose, false)) {
            return 1;
        }
        (void)printf("%s: as expected\n", argv[i]);
    }
    return 0;
}
