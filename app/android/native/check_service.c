/* The native side of CheckService.java, in the process ":check". */
#include "pumice.h"

#include <jni.h>
#include <unistd.h>

// Java looks it up by its name.
JNIEXPORT jint JNICALL Java_pumice_chat_CheckService_nativeServe(JNIEnv *env, jclass type, jint descriptor);
JNIEXPORT jint JNICALL Java_pumice_chat_CheckService_nativeServe(JNIEnv *env, jclass type, jint descriptor) {
    (void)env;
    (void)type;
    int status = pum_check_serve(descriptor, descriptor);
    close(descriptor);
    return status;
}
