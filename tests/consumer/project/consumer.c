/* Prints the version of the library, and an error sentence that came through it. */
#include <pumice.h>

#include <stdio.h>

int main(void) {
    pum_file *file;
    pum_error err;
    if (pum_file_open("/nonexistent/model.gguf", &file, &err) != PUM_ERR_IO) return 1;
    printf("%s\n%s: %s\n", pum_version(), pum_status_name(err.status), err.message);
    return 0;
}
