package pumice.chat;

import android.app.Service;
import android.content.Intent;
import android.os.Binder;
import android.os.IBinder;
import android.os.Parcel;
import android.os.ParcelFileDescriptor;
import android.os.Process;

/** The process ":check": it runs the kernels that a bad driver may crash or hang in, for one client, and then ends. */
public class CheckService extends Service {
    static final int SERVE = IBinder.FIRST_CALL_TRANSACTION;

    static {
        System.loadLibrary("pumice_check");
    }

    /** Answers what is asked on a socket until it ends or asks to. */
    private static native int nativeServe(int descriptor);

    private final Binder binder = new Binder() {
        @Override
        protected boolean onTransact(int code, Parcel data, Parcel reply, int flags) throws android.os.RemoteException {
            if (code != SERVE) return super.onTransact(code, data, reply, flags);
            ParcelFileDescriptor end = data.readFileDescriptor();
            if (end == null) return false;
            int descriptor = end.detachFd();
            new Thread(() -> {
                nativeServe(descriptor);
                // Drivers keep what they like until a process ends.
                Process.killProcess(Process.myPid());
            }, "check").start();
            if (reply != null) reply.writeInt(Process.myPid());
            return true;
        }
    };

    @Override
    public IBinder onBind(Intent intent) {
        return binder;
    }
}
