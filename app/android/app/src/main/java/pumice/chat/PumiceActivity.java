package pumice.chat;

import android.app.Activity;
import android.content.ActivityNotFoundException;
import android.content.Intent;
import android.content.SharedPreferences;
import android.graphics.Insets;
import android.net.Uri;
import android.os.Build;
import android.os.Bundle;
import android.os.ParcelFileDescriptor;
import android.util.Log;
import android.view.View;
import android.view.WindowInsets;
import java.io.IOException;
import org.libsdl.app.SDLActivity;

/** The window of pumice-chat: SDL's activity, with the system's picker of files and the service that checks kernels. */
public class PumiceActivity extends SDLActivity {
    private static final String TAG = "pumice";
    private static final String LAST_FILE = "last_file";
    private static final int PICK_FILE = 1;

    private final CheckProcess checks = new CheckProcess(this);
    /** Open as long as the model may be read again; its descriptor is the file's name in the C code. */
    private ParcelFileDescriptor file;

    private static native void nativePicked(int descriptor);

    @Override
    protected String[] getLibraries() {
        return new String[] {"SDL2", "main"};
    }

    @Override
    protected void onCreate(Bundle savedInstanceState) {
        super.onCreate(savedInstanceState);
        // From API level 35 on a window lies below the bars and the keyboard, and nobody resizes it.
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R && mLayout != null) mLayout.setOnApplyWindowInsetsListener(PumiceActivity::makeRoom);
    }

    private static WindowInsets makeRoom(View view, WindowInsets insets) {
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) {
            Insets taken = insets.getInsets(
                    WindowInsets.Type.systemBars() | WindowInsets.Type.displayCutout() | WindowInsets.Type.ime());
            view.setPadding(taken.left, taken.top, taken.right, taken.bottom);
        }
        return insets;
    }

    /* ---- files, through the storage access framework */

    /** Called from C, on SDL's thread. */
    public void pickFile() {
        runOnUiThread(() -> {
            // GGUF has no type of its own that systems know.
            Intent pick = new Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("*/*");
            try {
                startActivityForResult(pick, PICK_FILE);
            } catch (ActivityNotFoundException e) {
                Log.w(TAG, "this system has no picker of files", e);
            }
        });
    }

    @Override
    protected void onActivityResult(int request, int result, Intent data) {
        super.onActivityResult(request, result, data);
        if (request != PICK_FILE || result != Activity.RESULT_OK || data == null || data.getData() == null) return;
        Uri uri = data.getData();
        try {
            getContentResolver().takePersistableUriPermission(uri, Intent.FLAG_GRANT_READ_URI_PERMISSION);
        } catch (SecurityException e) {
            Log.w(TAG, "the file can be read until the program ends only", e);
        }
        int descriptor = open(uri);
        if (descriptor < 0) return;
        settings().edit().putString(LAST_FILE, uri.toString()).apply();
        nativePicked(descriptor);
    }

    /** Called from C: the descriptor of the file that was picked last, or -1. It stays this object's. */
    public int lastFile() {
        String uri = settings().getString(LAST_FILE, null);
        return uri == null ? -1 : open(Uri.parse(uri));
    }

    private SharedPreferences settings() {
        return getSharedPreferences("pumice", MODE_PRIVATE);
    }

    private synchronized int open(Uri uri) {
        try {
            ParcelFileDescriptor opened = getContentResolver().openFileDescriptor(uri, "r");
            if (opened == null) return -1;
            // What is being read is mapped: the one before may go.
            if (file != null) file.close();
            file = opened;
            return opened.getFd();
        } catch (IOException | SecurityException e) {
            Log.w(TAG, "the file cannot be opened", e);
            return -1;
        }
    }

    /* ---- checks */

    /** Called from C, on a thread that may wait: one end of a socket, the caller's from now on, or -1. */
    public int startCheck() {
        return checks.start();
    }

    /** Called from C, on any thread. */
    public void stopCheck() {
        checks.stop();
    }
}
