package pumice.chat;

import android.content.ComponentName;
import android.content.Context;
import android.content.Intent;
import android.content.ServiceConnection;
import android.os.IBinder;
import android.os.Parcel;
import android.os.ParcelFileDescriptor;
import android.os.Process;
import android.os.RemoteException;
import android.util.Log;
import java.io.IOException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** The side of CheckService that the window is on: one process at a time. */
final class CheckProcess {
    private static final long PATIENCE_S = 20;

    private final Context context;
    private Connection connection;

    CheckProcess(Context context) {
        this.context = context;
    }

    private static final class Connection implements ServiceConnection {
        final CountDownLatch connected = new CountDownLatch(1);
        volatile IBinder binder;
        volatile int pid;

        @Override
        public void onServiceConnected(ComponentName name, IBinder service) {
            binder = service;
            connected.countDown();
        }

        @Override
        public void onServiceDisconnected(ComponentName name) {
            // The socket tells.
        }
    }

    /** Not on the main thread, which tells of the connection. Returns a descriptor that is the caller's, or -1. */
    synchronized int start() {
        stop();
        Connection fresh = new Connection();
        if (!context.bindService(new Intent(context, CheckService.class), fresh, Context.BIND_AUTO_CREATE)) {
            context.unbindService(fresh);
            return -1;
        }
        connection = fresh;
        try {
            if (fresh.connected.await(PATIENCE_S, TimeUnit.SECONDS)) {
                ParcelFileDescriptor[] ends = ParcelFileDescriptor.createSocketPair();
                try (ParcelFileDescriptor theirs = ends[1]) {
                    fresh.pid = hand(fresh.binder, theirs);
                    return ends[0].detachFd();
                } catch (RemoteException e) {
                    ends[0].close();
                }
            }
        } catch (IOException e) {
            Log.w("pumice", "no socket for checks", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        stop();
        return -1;
    }

    private static int hand(IBinder binder, ParcelFileDescriptor end) throws RemoteException {
        Parcel data = Parcel.obtain(), reply = Parcel.obtain();
        try {
            data.writeFileDescriptor(end.getFileDescriptor());
            if (!binder.transact(CheckService.SERVE, data, reply, 0)) throw new RemoteException("the service does not serve");
            return reply.readInt();
        } finally {
            data.recycle();
            reply.recycle();
        }
    }

    /** Ends the process, whatever it is doing. */
    synchronized void stop() {
        if (connection == null) return;
        context.unbindService(connection); // before its end, or the system starts it again
        if (connection.pid > 0) Process.killProcess(connection.pid);
        connection = null;
    }
}
